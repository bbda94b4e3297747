#include "tests/sim/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

namespace handfast::sim {
namespace {

constexpr std::string_view kBetween = " | ";

}  // namespace

Snapshot::Snapshot(std::string path, std::string heading, std::vector<std::string> keys)
    : path_(std::move(path)), heading_(std::move(heading)), keys_(std::move(keys)) {
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    const std::size_t between = line.find(kBetween);
    if (line.starts_with('#') || between == std::string::npos) continue;
    known_[line.substr(0, between)] = line.substr(between + kBetween.size());
  }
}

std::optional<std::string> Snapshot::differs(const std::string& key, const std::string& values) {
  fresh_[key] = values;
  const auto known = known_.find(key);
  if (known == known_.end()) return fmt::format("+{}{}{}", key, kBetween, values);
  if (known->second == values) return std::nullopt;
  return fmt::format("-{0}{1}{2}\n+{0}{1}{3}", key, kBetween, known->second, values);
}

std::vector<std::string> Snapshot::stale_keys() const {
  std::vector<std::string> stale;
  for (const auto& [key, values] : known_) {
    if (std::ranges::find(keys_, key) == keys_.end()) stale.push_back(key);
  }
  return stale;
}

bool Snapshot::write() const {
  std::string text = heading_;
  for (const std::string& key : keys_) {
    const auto fresh = fresh_.find(key);
    const auto known = known_.find(key);
    if (fresh == fresh_.end() && known == known_.end()) continue;
    text += fmt::format("{}{}{}\n", key, kBetween,
                        fresh != fresh_.end() ? fresh->second : known->second);
  }
  std::ofstream file(path_);
  return static_cast<bool>(file << text << std::flush);
}

}  // namespace handfast::sim
