// Run: one whole run of handfast-serve, from the start of the runtime to its summary. Called once
// by main().
#pragma once

#include <expected>
#include <string>

#include "apps/serve/options.hpp"

namespace handfast::serve {

// Returns the exit code; the error is why nothing could be started. Ends at SIGINT or SIGTERM, when
// the time is up, or when the dialled connection has ended and nothing is listened on.
std::expected<int, std::string> run(const Options& options);

}  // namespace handfast::serve
