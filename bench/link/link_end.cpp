#include "bench/link/link_end.hpp"

#include <cstring>

#include "wire/checksum.hpp"

namespace handfast::bench {
namespace {

// The number of the step lies in the second cache line, where TCP's options would be.
constexpr std::size_t kStepAt = 64;
constexpr std::size_t kHeadersLength = 66;
constexpr std::size_t kAddressesAt = 26;
constexpr std::uint8_t kGoodbye = 0xff;

}  // namespace

LinkEnd::LinkEnd(base::Device& device, const Work& work, bool is_client)
    : device_(device),
      work_(work),
      is_client_(is_client),
      packets_(device.pool()),
      text_(work.payload, std::byte{'x'}) {
  constexpr std::byte kFiller{0x5a};
  headers_.fill(kFiller);
  pending_.reserve(4096);
}

LinkEnd::~LinkEnd() {
  for (const base::Packet& packet : pending_) packets_.free(packet);
}

void LinkEnd::begin(std::uint32_t units) {
  for (std::uint32_t unit = 0; unit < units; ++unit) send_from(0);
}

void LinkEnd::say_goodbye() {
  put(kGoodbye, kHeadersLength, false);
}

void LinkEnd::turn(Instant now) {
  const std::size_t count = device_.receive(now, burst_);
  for (std::size_t i = 0; i < count; ++i) read(burst_[i], now);
  packets_.flush_freed();
  if (!pending_.empty()) flush(now);
}

void LinkEnd::read(const base::Packet& packet, Instant now) {
  const auto step = std::to_integer<std::uint8_t>(packet.data[kStepAt]);
  seen_ += wire::load_native<std::uint64_t>(packet.data + kAddressesAt);
  if (packet.length > kHeadersLength && work_.payload != 0) {
    seen_ += wire::sum(packet.bytes().subspan(kHeadersLength));
  }
  packets_.free(packet);
  if (step == kGoodbye) {
    is_told_to_end_ = true;
    return;
  }
  // A strange frame: a link has no other sender, but memory is not to be read by its word.
  if (step >= work_.steps.size()) return;
  answer(step);
  const std::size_t last = work_.steps.size() - (work_.steps.back().by_client ? 2 : 1);
  if (is_client_ && step == last) complete(now);
}

void LinkEnd::answer(std::uint8_t step) {
  if (!is_client_ && ++held_back_ < work_.group) return;
  held_back_ = 0;
  send_from(step + std::size_t{1});
}

// All steps from this one on that are ours, up to the other end's next.
void LinkEnd::send_from(std::size_t step) {
  for (; step < work_.steps.size() && work_.steps[step].by_client == is_client_; ++step) {
    put(static_cast<std::uint8_t>(step), work_.steps[step].length, step == 0 && work_.payload != 0);
  }
}

void LinkEnd::complete(Instant now) {
  completed_ += work_.group;
  if (measures_times_) {
    if (completed_ > work_.group) times_.record(static_cast<std::uint64_t>((now - begun_).count()));
    begun_ = now;
  }
  begin(work_.group);
}

void LinkEnd::put(std::uint8_t step, std::uint16_t length, bool has_text) {
  base::Packet packet;
  if (!packets_.allocate(packet)) return;  // more than is in flight fits a pool
  packet.length = length;
  if (has_text) {
    std::memcpy(packet.data, headers_.data(), kHeadersLength);
    seen_ += wire::copy_and_sum(packet.data + kHeadersLength, text_);
  } else {
    std::memcpy(packet.data, headers_.data(), length);
  }
  packet.data[kStepAt] = std::byte{step};
  pending_.push_back(packet);
}

void LinkEnd::flush(Instant now) {
  const std::size_t sent = device_.send(now, pending_);
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(sent));
}

}  // namespace handfast::bench
