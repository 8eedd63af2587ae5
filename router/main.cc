#include "common/admin/daemon.h"
#include "common/hooks/start.h"
#include "router/app.h"
#include "router/config.h"

int main(int argc, char** argv) {
  using namespace hy;
  hooks::start_from_environment();
  auto start = config::start_from_command_line(router::daemon_spec(), argc, argv);
  if (!start) return start.error();
  admin::Daemon daemon(*std::move(start));
  auto config = router::read_config(daemon.start());
  if (!config) return daemon.failed(config.error());
  router::App app(daemon.start(), *std::move(config));
  if (const Status up = app.start(); !up) return daemon.failed(up.error());
  daemon.say_started(app.listeners(), {});
  return daemon.run({.reload = {}, .drain = [&app](std::stop_token) { app.drain(); }});
}
