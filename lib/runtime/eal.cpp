#include "runtime/eal.hpp"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <string_view>

#include "runtime/affinity.hpp"
#include "runtime/output_capture.hpp"

namespace handfast::runtime {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kHugePage = 2 * kMiB;
constexpr std::uint64_t kPlainMemoryMin = 256 * kMiB;
// Without huge pages a pool finds its memory in pieces, and pools of several workers then need up
// to twice what they hold. Address space only: pages that are not touched cost nothing.
constexpr std::uint64_t kPlainMemoryFactor = 3;
// For EAL's own tables, ports and what fragments.
constexpr std::uint64_t kSpareMemory = 64 * kMiB;

struct EalState {
  std::optional<EalRequest> started_with;
  bool failed = false;
  std::string complaint;
};

EalState& state() {
  static EalState only;
  return only;
}

// Whether the user gave one of these options, as "--name", "--name=value" or "-x...".
bool has_option(const std::vector<std::string>& arguments,
                std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(arguments, [&](const std::string& argument) {
    return std::ranges::any_of(names, [&](std::string_view name) {
      const bool is_long = name.starts_with("--");
      if (!is_long) return argument.starts_with(name) && !argument.starts_with("--");
      return argument == name || argument.starts_with(std::string(name) + "=");
    });
  });
}

void add_memory_options(const EalRequest& request, std::vector<std::string>& line) {
  const auto& user = request.arguments;
  if (request.huge_pages) {
    // Without a mounted hugetlbfs and without files. The user's own choice of one excludes it.
    if (!has_option(user, {"--in-memory", "--huge-dir", "--legacy-mem", "--no-huge"})) {
      line.push_back("--in-memory");
    }
    // virtio_user hands its memory over by file descriptor, and has room for few.
    const bool virtio_user = std::ranges::any_of(
        user, [](const std::string& argument) { return argument.contains("virtio_user"); });
    if (virtio_user && !has_option(user, {"--single-file-segments"})) {
      line.push_back("--single-file-segments");
    }
    return;
  }
  if (!has_option(user, {"--no-huge"})) line.push_back("--no-huge");
  if (!has_option(user, {"-m", "--socket-mem"})) {
    const auto bytes =
        std::max(request.memory_bytes * kPlainMemoryFactor + kSpareMemory, kPlainMemoryMin);
    line.push_back("-m");
    line.push_back(std::to_string((bytes + kMiB - 1) / kMiB));
  }
}

// EAL makes a directory for sockets and locks even where it then uses neither.
class RuntimeDirectory {
 public:
  RuntimeDirectory() {
    const char* const configured = std::getenv("XDG_RUNTIME_DIR");
    const std::string base = ::getuid() == 0         ? "/var/run"
                             : configured != nullptr ? configured
                                                     : "/tmp";
    parent_ = base + "/dpdk";
    parent_is_ours_ = ::access(parent_.c_str(), F_OK) != 0;
  }
  // Only empty directories go: with options of the user's there may be something in use.
  void remove() const {
    ::rmdir(rte_eal_get_runtime_dir());
    if (parent_is_ours_) ::rmdir(parent_.c_str());
  }

 private:
  std::string parent_;
  bool parent_is_ours_ = false;
};

std::uint64_t free_huge_pages() {
  std::uint64_t pages = 0;
  std::ifstream("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") >> pages;
  return pages;
}

// Returns rte_eal_init()'s result; what was printed meanwhile goes to `output`.
int initialise(std::vector<std::string> line, std::string& output) {
  std::vector<char*> argv;
  for (auto& argument : line) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const AffinityGuard affinity;  // EAL pins the calling thread
  OutputCapture capture;
  rte_openlog_stream(stderr);  // otherwise also to syslog
  const int result = rte_eal_init(static_cast<int>(line.size()), argv.data());
  output = capture.finish();
  return result;
}

}  // namespace

std::vector<std::string> eal_command_line(const EalRequest& request, unsigned main_cpu) {
  const auto& user = request.arguments;
  std::vector<std::string> line = {"handfast"};
  add_memory_options(request, line);
  // Workers are threads of ours; EAL needs one lcore for the thread that starts it.
  if (!has_option(user, {"-l", "-c", "--lcores"})) {
    line.push_back(fmt::format("--lcores=0@{}", main_cpu));
  }
  if (!request.pci && !has_option(user, {"--no-pci", "-a", "--allow", "-b", "--block"})) {
    line.push_back("--no-pci");
  }
  if (!has_option(user, {"--iova-mode"}) && !request.pci) line.push_back("--iova-mode=va");
  if (!has_option(user, {"--telemetry", "--no-telemetry"})) line.push_back("--no-telemetry");
  if (!has_option(user, {"--no-shconf", "--proc-type"})) line.push_back("--no-shconf");
  if (!has_option(user, {"--file-prefix"})) {
    line.push_back(fmt::format("--file-prefix=handfast-{}", ::getpid()));
  }
  if (!has_option(user, {"--log-level"})) line.push_back("--log-level=error");
  line.insert(line.end(), user.begin(), user.end());
  return line;
}

std::expected<void, std::string> check_huge_pages(std::uint64_t memory_bytes,
                                                  std::uint64_t free_pages) {
  const auto needed = (memory_bytes + kSpareMemory + kHugePage - 1) / kHugePage;
  if (free_pages >= needed) return {};
  return std::unexpected(fmt::format(
      "needs {} free 2 MB huge pages, the system has {}; run: sysctl vm.nr_hugepages={}", needed,
      free_pages, needed));
}

std::expected<void, std::string> start_eal(const EalRequest& request) {
  EalState& eal = state();
  if (eal.started_with) {
    if (*eal.started_with == request) return {};
    return std::unexpected("EAL runs already with other settings; it starts once in a process");
  }
  if (eal.failed) return std::unexpected("EAL failed before; it starts once in a process");
  if (request.huge_pages && !has_option(request.arguments, {"--no-huge"})) {
    if (auto enough = check_huge_pages(request.memory_bytes, free_huge_pages()); !enough) {
      return enough;
    }
  }

  const RuntimeDirectory directory;
  std::string output;
  // What became of it is known even if there is no memory to say more.
  EalRequest with = request;
  const int result = initialise(eal_command_line(request, allowed_cpus().front()), output);
  if (result >= 0) {
    eal.started_with = std::move(with);
    std::atexit([] { rte_eal_cleanup(); });
  }
  eal.failed = result < 0;
  directory.remove();
  eal.complaint = first_complaint(output);
  if (result >= 0) return {};
  return std::unexpected(fmt::format(
      "EAL does not start: {}", eal.complaint.empty() ? rte_strerror(rte_errno) : eal.complaint));
}

std::string first_complaint(const std::string& output) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("EAL: Detected") || line.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    return line.starts_with("EAL: ") ? line.substr(5) : line;
  }
  return {};
}

const std::string& eal_complaint() {
  return state().complaint;
}

}  // namespace handfast::runtime
