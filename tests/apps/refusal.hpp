// What a program's parse_options() says to a command line that it does not take. For the tests of
// the options of each program.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "apps/options/command_line.hpp"

namespace handfast::apps {

// The one line of refusal, or a note that there was none.
template <class Options>
std::string refusal_in(const std::expected<Options, Ending>& options) {
  if (options) return "(accepted)";
  EXPECT_EQ(options.error().exit_code, kExitRefused);
  EXPECT_EQ(options.error().text.find('\n'), std::string::npos) << options.error().text;
  return options.error().text;
}

}  // namespace handfast::apps

// `parse` is the test's own: from a list of words.
#define EXPECT_REFUSED(part, ...)                                                           \
  EXPECT_NE(handfast::apps::refusal_in(parse({__VA_ARGS__})).find(part), std::string::npos) \
      << handfast::apps::refusal_in(parse({__VA_ARGS__}))
