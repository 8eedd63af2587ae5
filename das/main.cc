#include "common/admin/daemon.h"
#include "common/hooks/start.h"
#include "das/app.h"
#include "das/config.h"

int main(int argc, char** argv) {
  using namespace hy;
  hooks::start_from_environment();
  auto start = config::start_from_command_line(das::daemon_spec(), argc, argv);
  if (!start) return start.error();
  if (const auto verb = start->extra.find("--schema"); verb != start->extra.end())
    return das::run_schema(*start, verb->second);
  admin::Daemon daemon(*std::move(start));
  das::App app(daemon.start());
  if (const Status up = app.start(); !up) return daemon.failed(up.error());
  daemon.say_started(app.listeners(), {});
  const int code = daemon.run({.reload = {}, .drain = [&app](std::stop_token) { app.drain(); }});
  if (const auto fatal = app.fatal()) return daemon.failed(*fatal);
  return code;
}
