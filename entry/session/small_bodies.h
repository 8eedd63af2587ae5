#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "entry/session/push_window.h"

/// The few client messages that an entry makes or looks into by itself. GoAway and the appended
/// fields are written out by hand (protobuf wire format), because cores see no generated code; a
/// test parses each with the real one.
namespace hy::entry {

/// hy.client.v1.Refused. retry_after 0: left out; conn_counter 0: left out.
Bytes refused_body(Errc code, Millis retry_after = Millis{0}, std::string_view detail = {},
                   std::uint32_t conn_counter = 0);
/// What an encoded Refused says; kMalformedBody when it is none.
Error error_of_refused(const Bytes& body);
/// hy.client.v1.GoAway without entries.
Bytes goaway_body(Errc code, Millis wait_max);
/// Appends LoginAnswer.registration_partial = true to an encoded LoginAnswer: a protobuf message
/// may be extended by concatenation.
void append_registration_partial(Bytes& login_answer);
/// The same with the fields of LoginAnswer that say how long a PUSH_ACK may wait.
void append_ack_terms(Bytes& login_answer, const AckTerms& terms);

}  // namespace hy::entry
