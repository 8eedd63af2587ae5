#include "das/append/commit_resolver.h"

#include "common/base/test_hooks.h"

namespace hy::das {
namespace {

/// Only these say something about the message itself; a full disk or an expired wait says nothing
/// about the transaction before it.
bool settles_unknown(const Result<Stored>& answer) {
  if (answer) return true;
  switch (answer.error().code) {
    case Errc::kConflict:
    case Errc::kGap:
    case Errc::kMembersChanged: return true;
    default: return false;
  }
}

}  // namespace

/// Mutant: a read without the lock decides. While the old transaction is in flight it finds
/// nothing.
CommitResolver::Answers CommitResolver::resolve_by_plain_read(MessageLog& log) {
  Answers out;
  std::erase_if(open_, [&](const Open& open) {
    if (!open.unknown) return false;
    const AppendItem& item = open.pending.item;
    const auto found = log.find({item.sender, item.conv, Seq{}, item.sender, item.client_msg_id});
    if (!found && found.error().code != Errc::kMessageNotFound) return false;
    ++out.resolved;
    if (found)
      out.answers.push_back(
          {open.ticket, Stored{found->message.seq, found->message.server_ms, true}});
    else
      out.answers.push_back({open.ticket, fail(Errc::kForbidden, "it was not stored")});
    return true;
  });
  return out;
}

CommitResolver::Answers CommitResolver::resolve(AppendPlanner& planner, MessageLog& log) {
  Answers out;
  if (mutant(Mutant::kUnknownCommitByPlainRead)) out = resolve_by_plain_read(log);
  std::vector<PendingAppend*> batch;
  batch.reserve(open_.size());
  for (Open& open : open_) batch.push_back(&open.pending);
  sync_point("das.unknown_before_resolve");
  BatchOutcome rows = planner.run_slow(log, batch);
  out.heads = std::move(rows.heads);
  out.tell = std::move(rows.tell);
  out.broken = rows.broken;
  out.why_broken = std::move(rows.why_broken);
  std::vector<Open> left;
  for (std::size_t i = 0; i < open_.size(); ++i) {
    Open& open = open_[i];
    AppendVerdict& verdict = rows.verdicts[i];
    if (verdict.state != AppendVerdict::State::kAnswered) {
      open.unknown = open.unknown || verdict.state == AppendVerdict::State::kUnknown;
      left.push_back(std::move(open));
    } else if (open.unknown && !settles_unknown(verdict.answer)) {
      out.answers.push_back(
          {open.ticket, fail(Errc::kOutcomeUnknown, verdict.answer.error().detail)});
    } else {
      if (open.unknown) ++out.resolved;
      out.answers.push_back({open.ticket, std::move(verdict.answer)});
    }
  }
  open_ = std::move(left);
  return out;
}

CommitResolver::Answers CommitResolver::give_up(MonoTime now, const Error& down) {
  Answers out;
  std::vector<Open> left;
  for (Open& open : open_) {
    if (!open.unknown) {
      out.answers.push_back({open.ticket, std::unexpected(down)});
    } else if (open.pending.deadline <= now) {
      out.answers.push_back({open.ticket, fail(Errc::kOutcomeUnknown, down.detail)});
    } else {
      left.push_back(std::move(open));
    }
  }
  open_ = std::move(left);
  return out;
}

}  // namespace hy::das
