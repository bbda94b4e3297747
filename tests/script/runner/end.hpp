// End: one TCP under test, as the runner sees it: frames in and out, an application's calls, what
// the application is told, and a clock. HandfastEnd is lib/stack in virtual time, LinuxEnd the
// kernel in a network namespace. A frame is Ethernet's with a finished IP packet in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/device.hpp"
#include "tests/script/language/script.hpp"

namespace handfast::script {

using FrameBytes = std::vector<std::byte>;

inline constexpr base::MacAddress kLocalMac{2, 0, 0, 0, 0, 1};  // of the tested stack
inline constexpr base::MacAddress kPeerMac{2, 0, 0, 0, 0, 2};

inline constexpr std::uint16_t kServerPort = 80;

// What a connection of a script is known by; addresses are the script's.
struct FlowPorts {
  std::uint16_t local = 0;
  std::uint16_t peer = 0;
  bool operator==(const FlowPorts&) const = default;
};

struct FrameAt {
  FrameBytes bytes;
  Duration at{0};
};

// What was wanted and what is there instead, for a reader; nothing when both are the same.
using Complaint = std::optional<std::string>;

class End {
 public:
  End() = default;
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  virtual ~End() = default;

  // Times are exact to the end of what is expected. Where they are not, an upper bound means
  // nothing and a lower one only from the last thing that the runner itself did.
  virtual bool is_exact() const = 0;
  virtual Duration now() const = 0;
  virtual void inject(base::Bytes frame) = 0;
  // The next frame that left, waiting for it until then.
  virtual std::optional<FrameAt> next_frame(Duration until) = 0;

  virtual Complaint call(const Call& call, const FlowPorts& ports) = 0;
  // Waits for it until then.
  virtual Complaint await(const Event& event, const FlowPorts& ports, Duration until) = 0;
  // What the application was given and has not been asked for.
  virtual FrameBytes take_data(const FlowPorts& ports) = 0;
  virtual Complaint check(const StateIs& state, const FlowPorts& ports) = 0;
  // These two only where is_exact().
  virtual Complaint check(const CounterIs& counter) = 0;
  virtual Complaint check(const InfoIs& info, const FlowPorts& ports) = 0;
};

// The text that both sides send: a byte for each sequence number, counted from its SYN. `pattern`
// makes it another text.
constexpr std::byte text_at(std::uint64_t number, std::uint8_t pattern = 0) {
  return static_cast<std::byte>(number * 31 + (number >> 8) * 7 + pattern);
}

}  // namespace handfast::script
