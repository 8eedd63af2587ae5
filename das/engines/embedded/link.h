#pragma once

#include <optional>
#include <utility>

#include "common/base/test_hooks.h"
#include "das/engines/embedded/store_file.h"

namespace hy::das::embedded {

/// How one session reaches the file: through the shared writer, or through a reading connection of
/// its own.
class Link {
 public:
  /// A writing session.
  explicit Link(StoreFile& file) : file_(file), generation_(file.generation()) {}
  /// A reading one.
  Link(StoreFile& file, sqlite::Database reader)
      : file_(file), generation_(file.generation()), reader_(std::move(reader)) {}

  [[nodiscard]] bool is_broken() const {
    return broken_ || !file_.is_ready() || file_.generation() != generation_;
  }
  [[nodiscard]] std::int64_t now_ms() const { return file_.clock().wall_ms(); }
  [[nodiscard]] MonoTime now() const { return file_.clock().now(); }
  /// For the body of write() alone.
  [[nodiscard]] HeadCache& heads() { return file_.heads(); }
  void maintain() {
    if (!reader_) file_.maintain();
  }

  /// body(db) -> Result<T> inside BEGIN IMMEDIATE … COMMIT. A value comes back only after COMMIT
  /// succeeded; on an error everything is rolled back.
  template <class Body>
  auto write(Body&& body) -> decltype(body(std::declval<sqlite::Database&>()));
  /// body(db) -> Result<T> in one read view, begun here.
  template <class Body>
  auto read(Body&& body) -> decltype(body(std::declval<sqlite::Database&>()));

 private:
  Error note(Error error) {
    error = translate(std::move(error));
    if (error.code == Errc::kStoreDown || error.code == Errc::kOutcomeUnknown) broken_ = true;
    return error;
  }

  StoreFile& file_;
  std::uint64_t generation_;
  std::optional<sqlite::Database> reader_;
  bool broken_ = false;
};

template <class Body>
auto Link::write(Body&& body) -> decltype(body(std::declval<sqlite::Database&>())) {
  if (reader_) return fail(Errc::kInternal, "a write through a reading session");
  if (broken_) return fail(Errc::kStoreDown, "the session is broken");
  auto turn = file_.turn(generation_);
  if (!turn) return std::unexpected(note(std::move(turn).error()));
  // An I/O error outside COMMIT has done nothing, but the connection is not to be trusted.
  const auto failed = [&](Error error) {
    error = note(std::move(error));
    if (broken_) file_.condemn();
    return std::unexpected(std::move(error));
  };
  auto transaction = sqlite::Transaction::begin(turn->db);
  if (!transaction) return failed(std::move(transaction).error());
  auto result = body(turn->db);
  if (!result) {
    if (mutant(Mutant::kHalfBatchAfterLockTimeout)) static_cast<void>(transaction->commit());
    file_.heads().not_committed();
    transaction->rollback();
    return failed(std::move(result).error());
  }
  if (auto committed = transaction->commit(); !committed) {
    file_.heads().not_committed();
    transaction->rollback();
    auto unknown = failed(std::move(committed).error());
    if (mutant(Mutant::kAckBeforeCommitOk)) return result;
    return unknown;
  }
  file_.heads().committed();
  return result;
}

template <class Body>
auto Link::read(Body&& body) -> decltype(body(std::declval<sqlite::Database&>())) {
  if (broken_) return fail(Errc::kStoreDown, "the session is broken");
  const auto view = [&](sqlite::Database& db) -> decltype(body(db)) {
    if (auto begun = db.exec("BEGIN"); !begun) return std::unexpected(std::move(begun).error());
    auto result = body(db);
    static_cast<void>(db.exec("ROLLBACK"));
    return result;
  };
  if (!reader_) {
    auto turn = file_.turn(generation_);
    if (!turn) return std::unexpected(note(std::move(turn).error()));
    auto result = view(turn->db);
    if (!result) return std::unexpected(note(std::move(result).error()));
    return result;
  }
  if (is_broken()) return std::unexpected(note({Errc::kStoreDown, "condemned", {}}));
  auto result = view(*reader_);
  if (!result) return std::unexpected(note(std::move(result).error()));
  return result;
}

}  // namespace hy::das::embedded
