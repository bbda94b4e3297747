#include "tests/sim/soak/journal.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace handfast::sim {

void Journal::frame(Instant now, base::Bytes frame) {
  constexpr std::size_t kHeaders = 72;  // the TCP checksum among them stands for the rest
  std::array<std::uint64_t, kHeaders / sizeof(std::uint64_t)> words{};
  std::memcpy(words.data(), frame.data(), std::min(frame.size(), kHeaders));
  mix(static_cast<std::uint64_t>(now.ns()) ^ frame.size() << 48);
  for (const std::uint64_t word : words) mix(word);
  ++frames_;
}

}  // namespace handfast::sim
