#include "das/lane/reader_core.h"

namespace hy::das {

void ReaderCore::serve(StoreCall& call) {
  if (call.deadline() <= clock_.now()) {
    call.refuse({Errc::kDeadlineExceeded, "in the readers' queue", {}});
    return;
  }
  // A session that broke while idle is noticed by its first use: reads are run once more.
  for (int tries = 1;; ++tries) {
    if (!has_session()) {
      call.refuse(down_);
      return;
    }
    const Status ran = call.run(*session_);
    if (!session_->is_broken()) return;
    session_.reset();
    if (ran || ran.error().code != Errc::kStoreDown || tries == 2) return;
  }
}

bool ReaderCore::has_session() {
  if (session_ && !session_->is_broken()) return true;
  session_.reset();
  if (clock_.now() < next_try_) return false;
  auto opened = engine_.open_reader();
  if (opened) {
    session_ = std::move(*opened);
    return true;
  }
  down_ = opened.error();
  next_try_ = clock_.now() + backoff_;
  return false;
}

}  // namespace hy::das
