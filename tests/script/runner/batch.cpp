#include "tests/script/runner/batch.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "tests/script/language/parser.hpp"
#include "tests/script/runner/handfast_end.hpp"
#include "tests/script/runner/linux_end.hpp"
#include "tests/script/runner/player.hpp"

namespace handfast::script {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecondsMax = 40;  // of one script against Linux
constexpr unsigned kRepeats = 2;

Trace make_trace(bool is_on) {
  if (!is_on) return {};
  return [](Duration at, std::string_view line) {
    fmt::print("{:12.6f} {}\n", std::chrono::duration<double>(at).count(), line);
  };
}

template <class E>
Outcome play_on(const Script& script, std::expected<std::unique_ptr<E>, std::string> end,
                bool trace) {
  if (!end) return {Verdict::failed, fmt::format("{}: {}", script.file, end.error())};
  const Trace shown = make_trace(trace);
  auto complaint = Player(script, **end, shown).play();
  return complaint ? Outcome{Verdict::failed, *std::move(complaint)} : Outcome{};
}

Outcome play_on_linux(const fs::path& file, bool trace) {
  const auto script = parse_file(file);
  if (!script) return {Verdict::failed, script.error()};
  if (script->linux_skip) return {Verdict::skipped, *script->linux_skip};
  return play_on(*script, LinuxEnd::start(*script), trace);
}

// A script in a process of its own, which writes its verdict and the reason into a pipe.
struct Child {
  fs::path file;
  int pipe = -1;
};

pid_t start_child(const fs::path& file, bool trace, Child& child) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  std::fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(kSecondsMax);
    const Outcome outcome = play_on_linux(file, trace);
    std::string text(1, static_cast<char>(outcome.verdict));
    text += outcome.why;
    [[maybe_unused]] const ssize_t written = write(ends[1], text.data(), text.size());
    std::fflush(stdout);
    _exit(0);
  }
  close(ends[1]);
  child = {.file = file, .pipe = ends[0]};
  return pid;
}

Outcome outcome_of(const Child& child, int status) {
  char text[8192];
  const ssize_t size = read(child.pipe, text, sizeof text);
  close(child.pipe);
  if (!WIFEXITED(status) || size < 1) {
    return {Verdict::failed, fmt::format("{}: it ended by signal {}", child.file.string(),
                                         WIFSIGNALED(status) ? WTERMSIG(status) : 0)};
  }
  return {static_cast<Verdict>(text[0]), std::string(text + 1, static_cast<std::size_t>(size) - 1)};
}

// Plays all, `jobs` at a time; the outcomes stand as the files do.
std::vector<Outcome> play_in_children(const std::vector<fs::path>& files, bool trace,
                                      unsigned jobs) {
  std::vector<Outcome> outcomes(files.size(), {Verdict::failed, "it could not be started"});
  std::map<pid_t, std::pair<std::size_t, Child>> running;
  std::size_t next = 0;
  while (next < files.size() || !running.empty()) {
    if (next < files.size() && running.size() < jobs) {
      Child child;
      const pid_t pid = start_child(files[next], trace, child);
      if (pid > 0) running.emplace(pid, std::pair{next, child});
      ++next;
      continue;
    }
    int status = 0;
    const pid_t ended = waitpid(-1, &status, 0);
    const auto found = running.find(ended);
    if (found == running.end()) continue;
    outcomes[found->second.first] = outcome_of(found->second.second, status);
    running.erase(found);
  }
  return outcomes;
}

std::vector<Outcome> play_all_on_linux(const std::vector<fs::path>& files,
                                       const BatchOptions& options) {
  std::vector<Outcome> outcomes = play_in_children(files, options.trace, options.jobs);
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (unsigned again = 0; again < kRepeats && outcomes[i].verdict == Verdict::failed; ++again) {
      const Outcome second = play_in_children({files[i]}, options.trace, 1).front();
      if (second.verdict != Verdict::failed) {
        fmt::print("{} passes when played by itself; before that:\n  {}\n", files[i].string(),
                   outcomes[i].why);
      }
      outcomes[i] = second;
    }
  }
  return outcomes;
}

}  // namespace

std::expected<std::vector<fs::path>, std::string> find_scripts(
    const std::vector<std::string>& places) {
  std::vector<fs::path> files;
  for (const std::string& place : places) {
    const std::size_t before = files.size();
    if (fs::is_regular_file(place)) files.emplace_back(place);
    if (fs::is_directory(place)) {
      for (const auto& entry : fs::recursive_directory_iterator(place)) {
        const bool is_prelude = entry.path().parent_path().filename() == "prelude";
        if (entry.path().extension() == ".seg" && !is_prelude) files.push_back(entry.path());
      }
    }
    if (files.size() == before) {
      return std::unexpected(fmt::format("'{}' is neither a script nor a folder of any", place));
    }
  }
  std::ranges::sort(files);
  return files;
}

Outcome play_on_handfast(const fs::path& file, bool trace) {
  const auto script = parse_file(file);
  if (!script) return {Verdict::failed, script.error()};
  return play_on(*script, HandfastEnd::start(*script), trace);
}

Tally play_all(const std::vector<fs::path>& files, const BatchOptions& options) {
  std::vector<Outcome> outcomes;
  if (options.is_linux) {
    outcomes = play_all_on_linux(files, options);
  } else {
    for (const fs::path& file : files) outcomes.push_back(play_on_handfast(file, options.trace));
  }
  Tally tally;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    tally.passed += outcome.verdict == Verdict::passed;
    tally.failed += outcome.verdict == Verdict::failed;
    tally.skipped += outcome.verdict == Verdict::skipped;
    if (outcome.verdict == Verdict::failed) fmt::print("FAILED {}\n", outcome.why);
    if (outcome.verdict == Verdict::skipped) {
      fmt::print("skipped {}: {}\n", files[i].string(), outcome.why);
    }
  }
  return tally;
}

}  // namespace handfast::script
