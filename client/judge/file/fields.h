#pragma once

#include <span>
#include <string_view>

#include "client/judge/history.h"

namespace hy::judge {

/// What an event's line carries besides dev, n, mono and ev.
enum class Field : std::uint8_t {
  kCmid,
  kConv,
  kSeq,
  kTo,      ///< seq as the end of a range
  kUseq,    ///< seq
  kCount,   ///< seq, signed
  kBase,    ///< low
  kFrom,    ///< low as the start of a range
  kQuoted,  ///< low
  kSince,   ///< low, signed
  kEntry,   ///< low
  kPhash,
  kTruncatedTo,  ///< phash
  kClockSteps,   ///< phash
  kEpoch,        ///< phash
  kSender,       ///< uid
  kBy,           ///< uid
  kAbout,        ///< uid
  kKind,         ///< number
  kPush,         ///< number
  kRequest,      ///< number
  kConnection,   ///< number
  kCode,
  kVia,
  kAnswer,
  kClosedBy,
  kStates,  ///< from, to
  kFlags,
  kHeads,  ///< list: [conv, seq] each
  kRows,   ///< list: [seq, cmid] each
};

/// The one list of fields, for writing and for reading.
std::span<const Field> fields_of(Ev ev);

}  // namespace hy::judge
