// Assertions about our own code, never about what a peer sends: those are counted instead.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace handfast::base {

[[noreturn, gnu::cold]] inline void assertion_failed(const char* condition, const char* file,
                                                     int line) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace handfast::base

// Checked in every build: cheap conditions only.
#define HANDFAST_ASSERT(condition)                                        \
  do {                                                                    \
    if (!(condition)) [[unlikely]]                                        \
      ::handfast::base::assertion_failed(#condition, __FILE__, __LINE__); \
  } while (false)

// Checked in debug and sanitizer builds.
#ifdef NDEBUG
#define HANDFAST_DEBUG_ASSERT(condition) \
  do {                                   \
    (void)sizeof(!(condition));          \
  } while (false)
#else
#define HANDFAST_DEBUG_ASSERT(condition) HANDFAST_ASSERT(condition)
#endif
