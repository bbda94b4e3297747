// DrivenStack: a whole stack whose device, clock, peers and application follow a fuzzer's choices.
// Peers are no stacks: each frame of theirs is made anew, near what the stack said last to that
// peer, so that it is often believed. What leaves is read back: every frame must be one that our
// own parsers take. At the end nothing may be missing, and nobody left without his last event.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "drivers/link/sim_pool.hpp"
#include "stack/stack.hpp"
#include "tests/fuzz/driven_application.hpp"
#include "tests/fuzz/input.hpp"

namespace handfast::fuzz {

class DrivenStack {
 public:
  // The first choices are the settings.
  explicit DrivenStack(Input& input);
  DrivenStack(const DrivenStack&) = delete;
  DrivenStack& operator=(const DrivenStack&) = delete;
  // Stops the stack, waits until all is over, and checks what is then left.
  ~DrivenStack();

  // One step, chosen by the input.
  void step();

 private:
  // What the stack said last to one remote port.
  struct Flow {
    base::FlowKey key;
    base::Seq next;  // behind what it sent
    base::Seq expected;
    std::uint32_t ts_value = 0;
    bool has_timestamps = false;
  };
  using Frame = std::vector<std::byte>;

  static constexpr std::size_t kFlowsMax = 8;
  static constexpr std::size_t kSentMax = 4;

  // --- what arrives (driven_stack_frames.cpp)
  Frame choose_frame();
  Frame segment();
  Frame address_message();
  Frame icmp_error();
  Frame echo();
  void spoil(Frame& frame);
  Flow choose_flow();
  std::uint32_t choose_distance();
  void answer_questions(const wire::Frame& frame);

  // --- the device
  void arrive();
  void output();
  void take(std::size_t packets);
  static void complete(const base::Packet& first, Frame& bytes);
  void see(const Frame& bytes);
  void see_segment(const wire::Frame& frame);

  void wait();
  void advance_to(Instant at);
  void hog();
  void finish();

  Input& input_;
  drivers::SimPool pool_;
  std::vector<Endpoint> remotes_;
  DrivenApplication application_;
  std::unique_ptr<stack::Stack> stack_;
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::vector<Frame> arriving_;
  std::vector<base::Packet> hogged_;
  std::deque<Flow> flows_;
  std::deque<Frame> sent_;
  bool has_vlan_ = false;
  bool answers_ = true;  // who is asked for his link address answers
};

}  // namespace handfast::fuzz
