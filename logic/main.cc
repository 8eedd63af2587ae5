#include <csignal>
#include <cstdio>
#include <string>

#include "common/base/error.h"
#include "common/hooks/start.h"
#include "common/obs/log.h"
#include "logic/app.h"
#include "logic/config.h"

namespace {

hy::log::Options::Form form_of(const std::string& name) {
  using Form = hy::log::Options::Form;
  if (name == "json") return Form::kJson;
  return name == "text" ? Form::kText : Form::kAuto;
}

}  // namespace

int main(int argc, char** argv) {
  hy::hooks::start_from_environment();
  const hy::config::DaemonSpec spec{
      .role = hy::config::Role::kLogic,
      .sentence = "Decides about commands and messages: the rules between entries and the log.",
      .properties = hy::logic::properties()};
  auto start = hy::config::start_from_command_line(spec, argc, argv);
  if (!start) return start.error();

  // Blocked before any thread starts, so that only sigwait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  hy::log::init({.daemon = "logic",
                 .name = start->name,
                 .level = hy::log::level_from_name(start->values.text("log.level")),
                 .form = form_of(start->values.text("log.form"))});
  hy::logic::App app(*std::move(start));
  if (const hy::Status started = app.start(); !started) {
    hy::log::error("start_failed",
                   {{"code", started.error().code}, {"detail", started.error().detail}});
    hy::log::shutdown();
    std::fprintf(stderr, "%s\n",
                 hy::error_text(started.error().code, started.error().detail).c_str());
    return hy::config::kExitFailed;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  hy::log::info("stopping", {{"signal", signal}});
  app.stop();
  hy::log::shutdown();
  return hy::config::kExitOk;
}
