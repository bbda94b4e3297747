#include "tests/sim/ledger.hpp"

#include <fmt/format.h>

#include <cstring>

#include "base/random.hpp"

namespace handfast::sim {
namespace {

constexpr std::uint32_t kSlowPurpose = 2;  // after the two ends' streams
constexpr std::uint32_t kSlowOneIn = 8;

const char* name_of(End end) {
  return end == End::client ? "client" : "server";
}

}  // namespace

Ledger::Ledger(const TransferConfig& config)
    : config_(config),
      text_(kTextBytes + TransferConfig::kBytesMax),
      records_(std::size_t{config.connections} * 2) {
  base::Random random(config.seed);
  for (std::size_t at = 0; at < text_.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random.next();
    std::memcpy(&text_[at], &word, sizeof word);
  }
}

std::uint64_t Ledger::draw(std::uint32_t number, std::uint32_t purpose) const {
  std::uint64_t state = config_.seed ^ (std::uint64_t{number} << 32 | purpose);
  return base::split_mix(state);
}

base::Bytes Ledger::stream(std::uint32_t number, End end) const {
  const std::size_t start = draw(number, static_cast<std::uint32_t>(end)) % kTextBytes;
  return base::Bytes{text_}.subspan(start, config_.bytes);
}

bool Ledger::is_slow(std::uint32_t number) const {
  return config_.vary && draw(number, kSlowPurpose) % kSlowOneIn == 0;
}

void Ledger::fail(std::string what) {
  ++failure_count_;
  if (failures_.size() < TransferReport::kFailuresMax) failures_.push_back(std::move(what));
}

void Ledger::fail(std::uint32_t number, End end, const std::string& what) {
  const std::uint16_t port = record(number, End::client).source_port;
  fail(fmt::format("connection {} (port {}), {}: {}", number, port, name_of(end), what));
}

void Ledger::judge_records() {
  for (std::uint32_t number = 0; number < config_.connections; ++number) {
    for (const End end : {End::client, End::server}) {
      const EndRecord& seen = record(number, end);
      if (seen.opened == 1 && seen.closed == 1 && seen.peer_finished == 1 &&
          seen.sent == config_.bytes && seen.received == config_.bytes) {
        continue;
      }
      fail(number, end,
           fmt::format("opened {}, peer finished {}, closed {} times; sent {}, received {} bytes",
                       seen.opened, seen.peer_finished, seen.closed, seen.sent, seen.received));
    }
  }
}

}  // namespace handfast::sim
