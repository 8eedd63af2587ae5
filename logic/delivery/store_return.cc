#include "logic/delivery/store_return.h"

#include "logic/command/client_body.h"

namespace hy::logic {
namespace {

constexpr Millis kTellDeadline{2'000};

}  // namespace

void StoreReturn::not_taken(Uid sender, MonoTime asked_at) {
  // Asked before the return and refused after it: that return counts for this one too.
  if (returned_at_ != MonoTime{} && asked_at <= returned_at_) is_due_ = true;
  if (waiting_.size() >= options_.senders_max || !known_.insert(sender).second) return;
  waiting_.push_back(sender);
}

void StoreReturn::returned() {
  returned_at_ = clock_.now();
  if (waiting_.empty()) return;
  is_due_ = true;
  look();
}

void StoreReturn::look() {
  if (is_due_ && clock_.now() >= not_before_) {
    is_due_ = false;
    not_before_ = clock_.now() + options_.apart;
    telling_.insert(telling_.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
    known_.clear();
  }
  for (std::size_t n = 0; n < options_.told_per_look && !telling_.empty(); ++n) {
    tell(telling_.front());
    telling_.pop_front();
  }
}

void StoreReturn::tell(Uid sender) {
  Delivery delivery;
  delivery.type = kTypeStoreBack;
  delivery.targets = {{sender, 0}};
  delivery.deadline = clock_.now() + kTellDeadline;
  deliverer_.deliver(std::move(delivery));
}

}  // namespace hy::logic
