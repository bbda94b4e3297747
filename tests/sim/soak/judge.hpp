// Judge: whether what the Books say at the end is right for what happened: every connection closed
// once, for a reason that there was, and both ends of one mean the same.
#pragma once

#include <vector>

#include "tests/sim/soak/books.hpp"
#include "tests/sim/soak/journal.hpp"
#include "tests/sim/soak/plan.hpp"

namespace handfast::sim {

// What befell a host from outside, beside what its plan says.
struct HostFate {
  const drivers::MiddleboxDevice* box = nullptr;  // on its path, if any
  bool restarted = false;
  bool stopped = false;
  std::uint64_t time_waits_given_up = 0;
};

class Judge {
 public:
  Judge(const Plan& plan, const Books& books, const std::vector<HostFate>& fates, Journal& journal)
      : plan_(plan), books_(books), fates_(fates), journal_(journal) {}

  void judge_all() const;
  // Whether an end that is still open must be taken for stuck: nothing has happened to its peer.
  bool is_stuck(std::size_t number, std::size_t end) const;

 private:
  void judge_end(std::size_t number, std::size_t end) const;
  bool was_let_go(std::size_t number, std::size_t end) const;
  void judge_finished(std::size_t number, std::size_t end) const;
  bool has_cause_for_reset(std::size_t number, std::size_t end) const;
  bool has_forged_syns() const;
  // Asks the boxes on the way of a connection about its flow.
  bool ask_boxes(std::size_t number,
                 bool (drivers::MiddleboxDevice::*question)(const base::FlowKey&) const) const;
  bool was_reset_on_the_way(std::size_t number) const;
  void judge_undisturbed(std::size_t number) const;
  void expect(bool holds, std::size_t number, std::size_t end, const char* what) const;

  const Plan& plan_;
  const Books& books_;
  const std::vector<HostFate>& fates_;
  Journal& journal_;
};

}  // namespace handfast::sim
