#include "logic/command/request.h"

#include "logic/metrics.h"

namespace hy::logic {
namespace {

/// Where a refusal asks to come back later and nobody gave a time.
constexpr Millis kUsualRetry{1'000};

Millis retry_after_of(Errc code, Millis given) {
  if (given.count() > 0) return given;
  return error_info(code).retry == RetryRule::kLater ? kUsualRetry : Millis{0};
}

}  // namespace

Request::~Request() {
  if (!is_done_) leave_unanswered();
}

void Request::answer(Bytes body) {
  Answer out;
  out.body = std::move(body);
  answer(std::move(out));
}

void Request::answer(Answer answer) {
  HY_CHECK(!is_done_);
  is_done_ = true;
  answer.type = context_.type | kAckBit;
  if (renewed_ && !answer.session_opened && answer.close == Errc::kOk) {
    answer.session_opened = std::move(renewed_);
  }
  metrics_.request_answered(context_.type, answer.code);
  replies_.reply(context_, std::move(answer));
}

void Request::refuse(const Error& error) {
  refuse(RefusalBody{.code = error.code, .retry_after = error.retry_after, .detail = error.detail});
}

void Request::refuse(RefusalBody refusal, Errc close) {
  refusal.retry_after = retry_after_of(refusal.code, refusal.retry_after);
  Answer out;
  out.refused = true;
  out.code = refusal.code;
  out.close = close;
  out.body = encode_refused(refusal);
  answer(std::move(out));
}

void Request::leave_unanswered() {
  HY_CHECK(!is_done_);
  is_done_ = true;
  metrics_.request_unanswered(context_.type);
  replies_.leave(context_);
}

}  // namespace hy::logic
