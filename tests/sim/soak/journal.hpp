// Journal: what one soak run found and, for whoever replays it, all that happened. Its digest
// stands for the whole: equal runs have equal digests.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/flow_key.hpp"
#include "handfast/time.hpp"

namespace handfast::sim {

class Journal {
 public:
  static constexpr std::size_t kFailuresMax = 10;
  using Trace = std::function<void(Instant, const std::string&)>;

  explicit Journal(Trace trace) : trace_(std::move(trace)) {}

  void set_now(const Instant& now) { now_ = &now; }
  Instant now() const { return *now_; }

  template <class... Arguments>
  void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    ++failure_count_;
    if (failures_.size() == kFailuresMax) return;
    failures_.push_back(fmt::format(format, std::forward<Arguments>(arguments)...));
    if (trace_) trace_(*now_, "BROKEN: " + failures_.back());
  }
  // Of little cost when nobody traces. What is 0 is not part of the digest.
  template <class... Arguments>
  void note(std::uint64_t what, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (what != 0) mix(what);
    if (trace_) trace_(*now_, fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  void frame(Instant now, base::Bytes frame);

  bool is_traced() const { return static_cast<bool>(trace_); }
  const std::vector<std::string>& failures() const { return failures_; }
  std::uint64_t failure_count() const { return failure_count_; }
  std::uint64_t digest() const { return digest_; }
  std::uint64_t frames() const { return frames_; }

 private:
  void mix(std::uint64_t word) {
    digest_ = base::fold_multiply(digest_ ^ word, 0x9e3779b97f4a7c15);
  }

  Trace trace_;
  const Instant* now_ = nullptr;
  std::vector<std::string> failures_;
  std::uint64_t failure_count_ = 0;
  std::uint64_t frames_ = 0;
  std::uint64_t digest_ = 1;
};

}  // namespace handfast::sim
