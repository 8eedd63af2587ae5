#pragma once

/// The process's side of test hooks: one call at the start of each program's main, before it reads
/// its configuration. Without HY_TEST_HOOKS it is nothing.
namespace hy::hooks {

#if defined(HY_TEST_HOOKS)

/// Reads and removes two variables of the environment: HY_TEST_CONTROL, the path of a control file
/// (control_file.h) whose armed places this process obeys from now on; HY_MUTANT, the number of the
/// bug to switch on (test_hooks.h). One that cannot be used ends the process with exit code 2.
/// Before any thread starts.
void start_from_environment();

#else

inline void start_from_environment() {}

#endif

}  // namespace hy::hooks
