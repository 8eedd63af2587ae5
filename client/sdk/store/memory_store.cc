#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "client/sdk/store/store.h"

#include "common/base/test_hooks.h"

namespace hy::client {
namespace {

constexpr std::size_t kRowsKept = 256;
constexpr std::size_t kIdsKept = 4'096;

class MemoryStore final : public Store {
 public:
  Result<Snapshot> load() override {
    Snapshot out;
    out.device = device_;
    for (const auto& [conversation, line] : lines_) {
      if (line.record) out.conversations.push_back(*line.record);
    }
    for (const auto& [id, record] : outbox_) out.outbox.push_back(record);
    std::ranges::sort(out.outbox, {}, &OutboxRecord::order);
    return out;
  }

  Result<std::vector<RowFate>> apply(std::span<const Write> writes) override {
    std::vector<RowFate> fates;
    for (const Write& write : writes) {
      std::visit([&](const auto& w) { put(w, fates); }, write);
    }
    return fates;
  }

  Result<std::vector<Message>> rows(ConversationId conversation, Seq from, Seq to,
                                    std::uint32_t last) override {
    std::vector<Message> out;
    const auto line = lines_.find(conversation);
    if (line == lines_.end()) return out;
    const auto& kept = line->second.rows;
    for (auto at = kept.lower_bound(from.value()); at != kept.end() && at->first <= to.value();
         ++at) {
      out.push_back(at->second);
    }
    if (last > 0 && out.size() > last) {
      out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(last));
    }
    return out;
  }

  Result<std::optional<Uid>> find_name(const std::string& name) override {
    const auto at = names_.find(name);
    return at == names_.end() ? std::nullopt : std::optional(at->second);
  }

 private:
  using Key = std::pair<Uid, ClientMsgId>;
  struct Line {
    std::optional<ConversationRecord> record;
    std::map<std::uint64_t, Message> rows;
    std::map<Key, bool> ids;  // provisional?
    std::deque<Key> order;
  };

  void put(const PutDevice& w, std::vector<RowFate>&) { device_ = w.record; }
  void put(const PutOutbox& w, std::vector<RowFate>&) { outbox_[w.record.id] = w.record; }
  void put(const SetOutboxStep& w, std::vector<RowFate>&) {
    const auto at = outbox_.find(w.id);
    if (at == outbox_.end()) return;
    at->second.step = w.step;
    at->second.code = w.code;
  }
  void put(const DropOutbox& w, std::vector<RowFate>&) { outbox_.erase(w.id); }
  void put(const PutConversation& w, std::vector<RowFate>&) {
    lines_[w.record.conversation].record = w.record;
  }
  void put(const ForgetSeqs& w, std::vector<RowFate>&) { lines_[w.conversation].rows.clear(); }
  void put(const PutName& w, std::vector<RowFate>&) { names_[w.name] = w.uid; }
  void put(const PutRow& w, std::vector<RowFate>& fates) {
    const Message& message = w.message;
    Line& line = lines_[message.conversation];
    const Key key{message.sender, message.client_msg_id};
    const auto [at, is_new] = line.ids.try_emplace(key, message.provisional);
    const bool moves = !is_new && at->second && !message.provisional;
    fates.push_back(is_new || mutant(Mutant::kPushShownTwice) ? RowFate::kNew
                    : moves                                   ? RowFate::kMoved
                                                              : RowFate::kKnown);
    if (moves) at->second = false;
    if (is_new) {
      line.order.push_back(key);
      if (line.order.size() > kIdsKept) {
        line.ids.erase(line.order.front());
        line.order.pop_front();
      }
    }
    if (message.provisional) return;
    line.rows.insert_or_assign(message.seq.value(), message);
    if (line.rows.size() > kRowsKept) line.rows.erase(line.rows.begin());
  }

  DeviceRecord device_;
  std::map<ClientMsgId, OutboxRecord> outbox_;
  std::map<ConversationId, Line> lines_;
  std::map<std::string, Uid> names_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store() {
  return std::make_unique<MemoryStore>();
}

}  // namespace hy::client
