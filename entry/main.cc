#include "common/admin/daemon.h"
#include "common/hooks/start.h"
#include "entry/app.h"
#include "entry/config.h"

int main(int argc, char** argv) {
  using namespace hy;
  hooks::start_from_environment();
  auto start = config::start_from_command_line(entry::daemon_spec(), argc, argv);
  if (!start) return start.error();
  admin::Daemon daemon(*std::move(start));
  auto config = entry::read_config(daemon.start(), daemon.descriptors().connections_that_fit());
  if (!config) return daemon.failed(config.error());
  entry::App app(daemon.start(), *std::move(config));
  if (const Status up = app.start(); !up) return daemon.failed(up.error());
  daemon.say_started(app.listeners(), app.peers());
  const int code =
      daemon.run({.reload = [&app](const config::Values& values) { app.reload(values); },
                  .drain = [&app](std::stop_token hurry) { app.drain(hurry); }});
  return app.name_was_taken() ? config::kExitFailed : code;
}
