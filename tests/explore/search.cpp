#include "tests/explore/search.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

#include "tests/explore/visited.hpp"

namespace handfast::explore {

namespace {

// States waiting for their turn: for each its number and its packed image.
struct Block {
  static constexpr std::size_t kWords = 16 * 1024;
  std::vector<std::uint64_t> words;
  std::size_t states = 0;
};

struct Layer {
  std::vector<Block> blocks;
  std::uint64_t bytes = 0;

  void add(Block&& block) {
    if (block.states == 0) return;
    bytes += block.words.size() * sizeof(std::uint64_t);
    blocks.push_back(std::move(block));
  }
};

struct FoundAt {
  Fault fault;
  std::uint32_t state;
};

class Explorer;

// One thread's share.
class Worker {
 public:
  Worker(Explorer& explorer, const Setting& setting) : explorer_(explorer), world_(setting) {}

  void expand(const Block& block);
  // A state that was met: kept for the next layer if it is new.
  void meet(std::uint32_t parent, std::uint8_t action);
  void begin() {
    world_.begin();
    meet(0, 0);
  }
  Layer take_layer() {
    layer_.add(std::exchange(block_, {}));
    return std::exchange(layer_, {});
  }

  std::uint64_t transitions = 0;
  std::uint64_t ends = 0;
  std::vector<FoundAt> found;

 private:
  void expand_state(std::uint32_t state, const Image& image);

  Explorer& explorer_;
  World world_;
  Image parent_;
  Image child_;
  Actions actions_;
  Block block_;
  Layer layer_;
};

class Explorer {
 public:
  Explorer(const Setting& setting, const Limits& limits, FaultSet wanted)
      : setting_(setting), limits_(limits), wanted_(wanted) {}

  std::expected<Outcome, std::string> run();

  bool is_new(const Digest& digest) { return visited_.insert(digest); }
  // Its number; the states' own maximum when there is no room for more.
  std::uint32_t number(std::uint32_t parent, std::uint8_t action) {
    const std::uint64_t state = states_.fetch_add(1, std::memory_order_relaxed);
    if (state >= limits_.max_states) {
      is_full_.store(true, std::memory_order_relaxed);
      return kNoState;
    }
    parents_[state] = parent;
    actions_[state] = action;
    return static_cast<std::uint32_t>(state);
  }
  static constexpr std::uint32_t kNoState = 0xffff'ffff;

 private:
  // So many states at a time are turned into their successors before the table may grow.
  static constexpr std::size_t kRound = 1 << 15;
  static constexpr std::size_t kSuccessorsMax = 24;

  bool run_layer(Layer layer, Outcome& outcome);
  void run_round(std::span<const Block> blocks);
  bool is_satisfied(const Outcome& outcome) const;
  void gather_found(Outcome& outcome);
  Way way_to(std::uint32_t state) const;
  Layer next_layer();

  Setting setting_;
  Limits limits_;
  FaultSet wanted_;
  Visited visited_;
  base::MappedArray<std::uint32_t> parents_;
  base::MappedArray<std::uint8_t> actions_;
  std::atomic<std::uint64_t> states_{0};
  std::atomic<bool> is_full_{false};
  std::vector<std::unique_ptr<Worker>> workers_;
};

void Worker::expand(const Block& block) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < block.states; ++i) {
    const auto state = static_cast<std::uint32_t>(block.words[at++]);
    at += unpack(&block.words[at], parent_);
    expand_state(state, parent_);
  }
}

void Worker::expand_state(std::uint32_t state, const Image& image) {
  world_.load(image);
  world_.list_actions(actions_);
  if (const Fault fault = world_.fault(actions_.is_empty()); fault != Fault::none) {
    found.push_back({fault, state});
    return;
  }
  ends += actions_.is_empty() ? 1 : 0;
  for (std::uint8_t i = 0; i < actions_.size(); ++i) {
    if (i > 0) world_.load(image);
    world_.act(actions_[i]);
    ++transitions;
    meet(state, i);
  }
}

void Worker::meet(std::uint32_t parent, std::uint8_t action) {
  world_.store(child_);
  if (!explorer_.is_new(digest_of(child_))) return;
  const std::uint32_t state = explorer_.number(parent, action);
  if (state == Explorer::kNoState) return;
  if (block_.words.empty()) block_.words.reserve(Block::kWords + kPackedMax);
  const std::size_t at = block_.words.size();
  block_.words.resize(at + 1 + kPackedMax);
  block_.words[at] = state;
  const std::size_t length = pack(child_, &block_.words[at + 1]);
  block_.words.resize(at + 1 + length);
  ++block_.states;
  if (block_.words.size() >= Block::kWords) {
    block_.words.shrink_to_fit();
    layer_.add(std::exchange(block_, {}));
  }
}

void Explorer::run_round(std::span<const Block> blocks) {
  std::atomic<std::size_t> next{0};
  const auto work = [&](Worker& worker) {
    for (std::size_t i = next++; i < blocks.size(); i = next++) {
      worker.expand(blocks[i]);
      if (is_full_.load(std::memory_order_relaxed)) return;
    }
  };
  if (blocks.size() == 1 || workers_.size() == 1) return work(*workers_.front());
  std::vector<std::jthread> threads;
  for (const auto& worker : workers_) threads.emplace_back(work, std::ref(*worker));
}

// False when memory was refused.
bool Explorer::run_layer(Layer layer, Outcome& outcome) {
  std::size_t first = 0;
  while (first < layer.blocks.size() && !is_full_) {
    std::size_t last = first;
    std::size_t states = 0;
    while (last < layer.blocks.size() && states < kRound) states += layer.blocks[last++].states;
    if (!visited_.make_room(states_ + states * kSuccessorsMax)) return false;
    run_round(std::span(layer.blocks).subspan(first, last - first));
    for (; first < last; ++first) layer.blocks[first] = {};
  }
  outcome.peak_bytes = std::max(outcome.peak_bytes, layer.bytes);
  return true;
}

Layer Explorer::next_layer() {
  Layer all;
  for (const auto& worker : workers_) {
    Layer share = worker->take_layer();
    all.bytes += share.bytes;
    std::ranges::move(share.blocks, std::back_inserter(all.blocks));
  }
  return all;
}

Way Explorer::way_to(std::uint32_t state) const {
  Way way;
  for (; state != 0; state = parents_[state]) way.push_back(actions_[state]);
  std::ranges::reverse(way);
  return way;
}

void Explorer::gather_found(Outcome& outcome) {
  std::vector<FoundAt> all;
  for (const auto& worker : workers_) {
    std::ranges::copy(std::exchange(worker->found, {}), std::back_inserter(all));
  }
  std::ranges::sort(all, {}, &FoundAt::state);
  for (const FoundAt& found : all) {
    if (outcome.find(found.fault) == nullptr) {
      outcome.found.push_back({found.fault, way_to(found.state)});
    }
  }
}

bool Explorer::is_satisfied(const Outcome& outcome) const {
  if (wanted_.is_empty()) return !outcome.found.empty();
  FaultSet have;
  for (const Found& found : outcome.found) have.add(found.fault);
  return have.has_all_of(wanted_);
}

std::expected<Outcome, std::string> Explorer::run() {
  const auto start = std::chrono::steady_clock::now();
  Outcome outcome{.setting = setting_};
  if (!visited_.make_room(1) || !parents_.reserve(limits_.max_states) ||
      !actions_.reserve(limits_.max_states)) {
    return std::unexpected("there is not enough memory");
  }
  for (unsigned i = 0; i < limits_.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>(*this, setting_));
  }
  workers_.front()->begin();
  for (Layer layer = next_layer(); !layer.blocks.empty(); layer = next_layer()) {
    if (!run_layer(std::move(layer), outcome)) {
      return std::unexpected("there is not enough memory");
    }
    gather_found(outcome);
    if (is_full_ || is_satisfied(outcome)) break;
    ++outcome.depth;
  }
  if (outcome.depth > 0) --outcome.depth;  // the last layer had no successors
  outcome.is_full = is_full_;
  outcome.is_complete = !is_full_ && !is_satisfied(outcome);
  outcome.states = std::min<std::uint64_t>(states_, limits_.max_states);
  for (const auto& worker : workers_) {
    outcome.transitions += worker->transitions;
    outcome.ends += worker->ends;
  }
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

}  // namespace

std::expected<Outcome, std::string> search(const Setting& setting, const Limits& limits,
                                           FaultSet wanted) {
  return Explorer(setting, limits, wanted).run();
}

}  // namespace handfast::explore
