#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/config/command_line.h"
#include "common/net/descriptors.h"

/// What the four mains share:
///
///   auto start = config::start_from_command_line(kSpec, argc, argv);
///   if (!start) return start.error();
///   admin::Daemon daemon(*std::move(start));            // signals, descriptors, log
///   entry::App app(daemon.start());
///   if (auto up = app.start(); !up) return daemon.failed(up.error());
///   daemon.say_started({"0.0.0.0:14000"}, {"logic a 127.0.0.1:14100"});
///   return daemon.run({.reload = …, .drain = …});       // blocks until a signal
namespace hy::admin {

struct DaemonHandlers {
  /// SIGHUP, after the file was checked: take over the live values. On the main thread.
  std::function<void(const config::Values&)> reload{};
  /// First SIGTERM or SIGINT: not ready, stop accepting, flush within a bound; returns when done.
  /// On the main thread. The token is set by a second signal: give up waiting at once.
  std::function<void(std::stop_token)> drain{};
};

/// One per process, made in main before any thread: it blocks SIGTERM, SIGINT and SIGHUP for all
/// threads to come, ignores SIGPIPE, forbids core files, raises the descriptor limit and starts the
/// log.
class Daemon {
 public:
  explicit Daemon(config::Start start);
  /// Writes the log's queue out.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] const config::Start& start() const { return start_; }
  [[nodiscard]] const net::DescriptorLimit& descriptors() const { return descriptors_; }

  /// The five start-up lines: version; hashes; limits; listeners; peers.
  void say_started(const std::vector<std::string>& listeners,
                   const std::vector<std::string>& peers) const;
  /// Logs why the start failed and gives the exit code: 2 for configuration and stores that cannot
  /// keep the promise (HY-8xxx, HY-51xx, HY-52xx), else 1.
  [[nodiscard]] int failed(const Error& error) const;
  /// Waits for signals until a SIGTERM or SIGINT, drains, returns the exit code. A second one
  /// during the drain sets its stop token; when drain does not return within 2 s of it, or at a
  /// third, the process ends with code 1.
  [[nodiscard]] int run(const DaemonHandlers& handlers);

 private:
  void reload(const DaemonHandlers& handlers);
  config::Start start_;
  config::Values current_;
  net::DescriptorLimit descriptors_;
};

}  // namespace hy::admin
