// Run: one whole run of handfast-load, from the start of the runtime to the report. Prints a line a
// second on the way. Called once by main().
#pragma once

#include <expected>
#include <string>

#include "apps/load/options.hpp"
#include "apps/load/report.hpp"

namespace handfast::load {

// The error is why nothing could be started. SIGINT or SIGTERM ends the run early, in order; a
// second one without waiting for open connections.
std::expected<Report, std::string> run(const Options& options);

}  // namespace handfast::load
