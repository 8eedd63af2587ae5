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
  auto session = Session::open(speaker, Slot::kOther, true, [&](hy::Client& c) {
    if (!o.show_ladder) return;
    c.on_ladder([&](const LadderEvent& e) {
      const std::lock_guard lock(mutex);
      book.add("you", e);
      changed.notify_all();
    });
  });
  if (!session) return complain(session.error());
  const auto peer = (*session)->find(o.peer);
  if (!peer) return complain(peer.error());
  std::vector<Sent> sent;
  const MonoTime deadline = std::chrono::steady_clock::now() + o.within;
  for (const Bytes& body : *bodies) {
    auto one = (*session)->client().send(*peer, body, is_valid_utf8(body) ? 1 : 2);
    if (!one) return complain(one.error());
    sent.push_back(*std::move(one));
  }
  Exit worst = Exit::kOk;
  Table table({"id", "seq", "step", "code"});
  for (const Sent& one : sent) {
    const auto left =
        std::chrono::duration_cast<Millis>(deadline - std::chrono::steady_clock::now());
    one.wait(o.wait, std::max(Millis(0), left));
    const Step reached = one.step();
    const Exit exit = exit_for_step(reached, o.wait);
    if (exit != Exit::kOk) {
      note("hy: " + one.id().to_hex() + " " + outcome_text(reached, one.code()));
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
