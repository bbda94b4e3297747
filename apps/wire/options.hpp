// What handfast-wire was asked to join and to do to the frames in between, read from its command
// line and checked as a whole.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/options/command_line.hpp"
#include "drivers/impair/impairment.hpp"
#include "handfast/runtime.hpp"

namespace handfast::emulator {

// An EAL port: "net_af_packet0,iface=veth1" is made by its driver with these arguments;
// "0000:00:04.0", or one without arguments, may also be there already.
struct PortName {
  std::string name;
  std::string arguments;  // with the driver's arguments, if any: EAL's --vdev or --allow

  bool is_pci() const { return name.contains(':'); }
};

struct Options {
  PortName a;
  PortName b;
  drivers::Impairment a_to_b;
  drivers::Impairment b_to_a;
  std::uint64_t seed = 1;
  std::optional<Duration> duration;  // ends after so long
  IdleMode idle = IdleMode::sleep;
  std::optional<std::uint32_t> held_max;  // frames on their way in one direction
  std::optional<unsigned> cpu;
  std::uint16_t mtu = 1500;
  bool huge_pages = false;
  std::string json_file;
  std::vector<std::string> eal;
};

// Reads and checks. The error is help, or one line saying what is wrong and what would be right.
std::expected<Options, apps::Ending> parse_options(std::span<const char* const> arguments);

// How many frames this weather keeps on their way at once, with room to spare.
std::uint32_t frames_in_flight(const drivers::Impairment& weather);

}  // namespace handfast::emulator
