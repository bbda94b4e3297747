#include "apps/load/memory.hpp"

#include <array>
#include <fstream>
#include <string>
#include <utility>

namespace handfast::load {

Footprint read_footprint(std::istream& status, std::istream& smaps_rollup) {
  Footprint footprint;
  const std::array<std::pair<std::string_view, std::uint64_t*>, 3> fields = {{
      {"VmRSS:", &footprint.resident},
      {"HugetlbPages:", &footprint.huge_pages},
      {"AnonHugePages:", &footprint.anon_huge},
  }};
  for (std::istream* const file : {&status, &smaps_rollup}) {
    std::string word;
    while (*file >> word) {
      for (const auto& [name, bytes] : fields) {
        std::uint64_t kilobytes = 0;
        if (word == name && *file >> kilobytes) *bytes = kilobytes * 1024;
      }
    }
  }
  return footprint;
}

Footprint own_footprint() {
  std::ifstream status("/proc/self/status");
  std::ifstream smaps_rollup("/proc/self/smaps_rollup");
  return read_footprint(status, smaps_rollup);
}

}  // namespace handfast::load
