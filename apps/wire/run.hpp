// handfast-wire's one loop, from its first frame to its report.
#pragma once

#include <expected>
#include <string>

#include "apps/wire/options.hpp"

namespace handfast::emulator {

// Joins the ports until the time is up, or SIGINT or SIGTERM. Returns the exit code; the error
// means that it did not start.
std::expected<int, std::string> run(const Options& options);

}  // namespace handfast::emulator
