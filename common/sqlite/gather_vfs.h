#pragma once

namespace hy::sqlite {

/// The name of SQLite's default file layer with one change, registered at the first call: writes to
/// the write-ahead log and to the database that follow each other without a gap are held and given
/// to the system as one, of up to 126 KiB. SQLite writes two pieces per page (24 bytes and the
/// page); a transaction of 200 pages is then a handful of system calls instead of 400.
///
/// What is held is written before the same file is synced, read, measured, cut or closed, and an
/// error of that write is the error of that call. SQLite syncs the log before it shows a commit to
/// other connections, and the database before it counts its pages as moved, so with synchronous =
/// FULL no other connection is ever pointed at bytes that are still held, and success of COMMIT
/// means on disk as before. With anything less than FULL it must not be used. A process that dies
/// loses what was held: a tail of an uncommitted transaction, as if it had died a little earlier.
/// Any thread; one file handle has one user at a time, as always in SQLite.
const char* gather_vfs();

}  // namespace hy::sqlite
