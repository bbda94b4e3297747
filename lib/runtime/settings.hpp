// What follows from a RuntimeConfig before anything is started: whether it makes sense, which CPU
// each worker gets, how large its packets are and how much memory EAL needs. Plain functions, for
// the runtime only.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "drivers/ethdev/ethdev_pool.hpp"
#include "drivers/ethdev/ethdev_port.hpp"
#include "handfast/runtime.hpp"
#include "runtime/eal.hpp"

namespace handfast::runtime {

// EAL knows 128 threads, its own among them.
inline constexpr unsigned kWorkersMax = 127;

// The error names the setting, its value and what would be right.
std::expected<void, std::string> check_settings(const RuntimeConfig& config,
                                                std::span<const unsigned> allowed_cpus);

unsigned worker_count(const RuntimeConfig& config);

// One CPU for each worker, round robin over `cores`, or over `allowed_cpus` when none are named.
std::vector<unsigned> assign_cpus(const RuntimeConfig& config,
                                  std::span<const unsigned> allowed_cpus);

// For a port that is not one of the embedded pair.
drivers::PortOptions port_options(const PortConfig& port);

drivers::PoolOptions pool_options(const RuntimeConfig& config, const PortConfig& port);

EalRequest eal_request(const RuntimeConfig& config);

}  // namespace handfast::runtime
