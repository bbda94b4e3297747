// Memory: what the connections that a run keeps open cost, as the kernel counts the process's pages
// and as the stacks count their tables. Read by run.cpp, shown by the reports.
#pragma once

#include <cstdint>
#include <istream>

namespace handfast::load {

// This process's memory as the kernel counts it, in bytes.
struct Footprint {
  std::uint64_t resident = 0;    // VmRSS
  std::uint64_t huge_pages = 0;  // HugetlbPages, which are not among the resident
  std::uint64_t anon_huge = 0;   // AnonHugePages, which are

  std::uint64_t all() const { return resident + huge_pages; }
};

// From /proc/self/status and /proc/self/smaps_rollup; zero for what is not there.
Footprint read_footprint(std::istream& status, std::istream& smaps_rollup);
Footprint own_footprint();

struct MemoryUse {
  Footprint before;  // the runtime is not started yet
  Footprint after;   // all are open
  std::uint64_t table_bytes = 0;
  std::uint64_t records = 0;          // connections, each of the process's ends counted by itself
  std::uint64_t list_bytes_each = 0;  // in the generator's own list; the kernel counts it too

  double program_bytes_each() const { return each(table_bytes); }
  double kernel_bytes_each() const {
    return each(after.all() > before.all() ? after.all() - before.all() : 0);
  }

 private:
  double each(std::uint64_t bytes) const {
    return records == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(records);
  }
};

}  // namespace handfast::load
