#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <iostream>
#include <iterator>

#include "client/cli/ladder.h"
#include "client/cli/talk.h"

namespace hy::cli {
namespace {

constexpr Millis kRungWithin{500};

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

/// What is to be sent: the words, all of stdin, or its lines.
Result<std::vector<Bytes>> bodies_of(const SendOptions& o) {
  if (!o.from_stdin) {
    if (o.words.empty()) return fail(Errc::kUsage, "nothing to send: give TEXT, or --stdin");
    return std::vector<Bytes>{join(o.words)};
  }
  if (!o.words.empty()) return fail(Errc::kUsage, "either TEXT or --stdin, not both");
  if (!o.is_lines) {
    return std::vector<Bytes>{Bytes(std::istreambuf_iterator<char>(std::cin), {})};
  }
  std::vector<Bytes> out;
  for (std::string line; std::getline(std::cin, line);) out.push_back(line);
  return out;
}

std::string outcome_text(Step reached, Errc code) {
  switch (reached) {
    case Step::kRefused: return error_text(code);
    case Step::kRelayed:
      return "RELAYED: it reached a device and is not saved yet; kept in the outbox";
    case Step::kStored: return "STORED, not delivered in time: nobody of the receiver is online";
    case Step::kDelivered: return "delivered, not read in time";
    case Step::kUnsure: return "it may not have been sent; kept in the outbox (hy outbox retry)";
    default: return "no answer; kept in the outbox, sent again by the next hy of this person";
  }
}

Result<Sent> send_to(hy::Client& client, ConversationId to, const Bytes& body) {
  const std::uint32_t kind = is_valid_utf8(body) ? 1 : 2;
  if (to.is_group()) return client.send(Gid{to.lo}, body, kind);
  return client.send(to.peer_of(client.uid()), body, kind);
}

/// What the SDK's thread tells of group receipts.
struct ReceiptBell {
  std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t heard = 0;

  void ring() {
    const std::lock_guard lock(mutex);
    ++heard;
    changed.notify_all();
  }
  std::uint64_t count() {
    const std::lock_guard lock(mutex);
    return heard;
  }
};

/// Until every other member has (kDelivered) or has read (kRead) what is at `seq`, or `deadline`.
Result<GroupReach> wait_for_members(Session& session, Gid gid, Seq seq, Step wanted,
                                    MonoTime deadline, ReceiptBell& bell) {
  HY_TRY(const Group group, session.client().group(gid));
  for (;;) {
    const std::uint64_t before = bell.count();
    const GroupReach reach =
        count_reach(group, session.client().uid(), session.client().group_receipts(gid), seq,
                    wanted == Step::kRead);
    if (reach.is_all()) return reach;
    std::unique_lock lock(bell.mutex);
    if (!bell.changed.wait_until(lock, deadline, [&] { return bell.heard != before; }))
      return reach;
  }
}

}  // namespace

Exit exit_for_step(Step reached, Step wanted) {
  if (reached == Step::kRefused) return Exit::kRefused;
  if (reached == Step::kRelayed) return Exit::kPartly;
  if (reached == Step::kUnsure || reached < Step::kStored) return Exit::kUnreachable;
  return reached >= wanted ? Exit::kOk : Exit::kUnreachable;
}

Exit run_send(const Speaker& speaker, const SendOptions& o, Format format) {
  const auto bodies = bodies_of(o);
  if (!bodies) return complain(bodies.error());
  std::mutex mutex;
  std::condition_variable changed;
  LadderBook book;
  ReceiptBell bell;
  auto session = Session::open(speaker, Slot::kOther, true, [&](hy::Client& c) {
    c.on_group_receipt([&](Gid, const MemberReceipt&) { bell.ring(); });
    if (!o.show_ladder) return;
    c.on_ladder([&](const LadderEvent& e) {
      const std::lock_guard lock(mutex);
      book.add("you", e);
      changed.notify_all();
    });
  });
  if (!session) return complain(session.error());
  const auto to = (*session)->find_conversation(o.peer);
  if (!to) return complain(to.error());
  if (to->is_group() && o.wait == Step::kRead) {
    return complain(Errc::kUsage, "of a group nobody tells who has read: --wait delivered");
  }
  std::vector<Sent> sent;
  const MonoTime deadline = std::chrono::steady_clock::now() + o.within;
  for (const Bytes& body : *bodies) {
    auto one = send_to((*session)->client(), *to, body);
    if (!one) return complain(one.error());
    sent.push_back(*std::move(one));
  }
  Exit worst = Exit::kOk;
  Table table({"id", "seq", "step", "code"});
  for (const Sent& one : sent) {
    const auto left =
        std::chrono::duration_cast<Millis>(deadline - std::chrono::steady_clock::now());
    // What a group's message ends with is said by its members' receipts.
    const bool asks_members = to->is_group() && o.wait > Step::kStored;
    one.wait(asks_members ? Step::kStored : o.wait, std::max(Millis(0), left));
    Step reached = one.step();
    std::string outcome = outcome_text(reached, one.code());
    if (asks_members && reached == Step::kStored) {
      const auto reach =
          wait_for_members(**session, Gid{to->lo}, one.seq(), o.wait, deadline, bell);
      if (!reach) return complain(reach.error());
      if (reach->is_all()) reached = o.wait;
      outcome = fmt::format("STORED; {} by {} of {} others in time", step_text(o.wait),
                            reach->reached, reach->others);
    }
    const Exit exit = exit_for_step(reached, o.wait);
    if (exit != Exit::kOk) {
      note("hy: " + one.id().to_hex() + " " + outcome);
      worst = std::max(worst, exit);
    }
    table.add({one.id().to_hex(), one.seq().value(), step_text(reached),
               reached == Step::kRefused ? error_code_text(one.code()) : std::string()});
  }
  if (o.show_ladder) {
    std::unique_lock lock(mutex);
    if (worst == Exit::kOk && o.wait >= Step::kDelivered) {
      // The step is told before the rung that brought it.
      changed.wait_for(lock, kRungWithin, [&] {
        return std::ranges::all_of(sent, [&](const Sent& one) {
          const Ladder* const ladder = book.find(one.id());
          return ladder == nullptr || ladder->time_of(6);
        });
      });
    }
    for (const Sent& one : sent) {
      const Ladder* const ladder = book.find(one.id());
      if (ladder == nullptr) continue;
      for (const Rung& rung : ladder->rungs()) print(rung_text(rung) + "\n");
    }
  }
  if (format != Format::kTable) print(table.text(format));
  return worst;
}

}  // namespace hy::cli
