// Many scripts: finding them, playing them one after the other or, against Linux, several at once,
// each in a process and a network namespace of its own.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/script/language/script.hpp"

namespace handfast::script {

struct BatchOptions {
  bool is_linux = false;
  bool trace = false;
  unsigned jobs = 12;  // they wait more than they work
};

struct Tally {
  unsigned passed = 0;
  unsigned failed = 0;
  unsigned skipped = 0;
};

enum class Verdict : std::uint8_t { passed, failed, skipped };

struct Outcome {
  Verdict verdict = Verdict::passed;
  std::string why;  // it failed or was skipped
};

// All *.seg files of these files and folders, but for those of a folder `prelude`, sorted. The
// error names a place that holds none.
std::expected<std::vector<std::filesystem::path>, std::string> find_scripts(
    const std::vector<std::string>& places);

// Against lib/stack, in this process.
Outcome play_on_handfast(const std::filesystem::path& file, bool trace);

// Prints what failed and why. What fails against Linux is played again by itself, twice: a machine
// that stood still for longer than a retransmission takes is no failure of either TCP.
Tally play_all(const std::vector<std::filesystem::path>& files, const BatchOptions& options);

}  // namespace handfast::script
