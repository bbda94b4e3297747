// Starts DPDK's environment (EAL) once in the process, in a way that suits a library: quiet,
// without root unless huge pages are asked for, leaving no file behind and the caller's CPU
// affinity as it was. Called by the runtime; EAL ends with the process.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace handfast::runtime {

struct EalRequest {
  std::vector<std::string> arguments;  // the user's own; they win over the defaults
  bool huge_pages = false;
  bool pci = false;                // look for PCI devices
  std::uint64_t memory_bytes = 0;  // what the pools and rings will take
  bool operator==(const EalRequest&) const = default;
};

// EAL's whole command line, program name first.
std::vector<std::string> eal_command_line(const EalRequest& request, unsigned main_cpu);

// The second call in a process succeeds only when it asks for the same. The error is one sentence:
// what EAL complained about, or how many huge pages are missing.
std::expected<void, std::string> start_eal(const EalRequest& request);

// The line of EAL's output that says most; empty when there is none.
std::string first_complaint(const std::string& output);

// What drivers complained about while EAL started, one line; empty when nothing. A device that
// could not be made is no error to EAL.
const std::string& eal_complaint();

// Whether enough 2 MiB pages are free for `memory_bytes`; `free_pages` is what the system has.
std::expected<void, std::string> check_huge_pages(std::uint64_t memory_bytes,
                                                  std::uint64_t free_pages);

}  // namespace handfast::runtime
