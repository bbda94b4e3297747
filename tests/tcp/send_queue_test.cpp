// The two orders of the send queue: by number, and by time of the last transmission.

#include "tcp/send_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace handfast::tcp {
namespace {

class SendQueueTest : public testing::Test {
 protected:
  SendQueueTest() {
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].seq = Seq{1000 + 100 * i};
      nodes_[i].length = 100;
      nodes_[i].sent_us = 10 * i;
    }
  }

  std::vector<const SendNode*> in_time() const {
    std::vector<const SendNode*> out;
    for (const SendNode* node = order_.oldest(); node != nullptr; node = node->later) {
      out.push_back(node);
    }
    return out;
  }
  std::vector<const SendNode*> backwards() const {
    std::vector<const SendNode*> out;
    for (const SendNode* node = order_.newest(); node != nullptr; node = node->earlier) {
      out.insert(out.begin(), node);
    }
    return out;
  }
  void expect_in_time(const std::vector<const SendNode*>& expected) const {
    EXPECT_EQ(in_time(), expected);
    EXPECT_EQ(backwards(), expected);
  }

  std::array<SendNode, 4> nodes_{};
  SendNode* a_ = &nodes_[0];
  SendNode* b_ = &nodes_[1];
  SendNode* c_ = &nodes_[2];
  SendNode* d_ = &nodes_[3];
  SendQueue queue_;
  TransmissionOrder order_;
};

TEST_F(SendQueueTest, WhatIsSplitOffTheEndIsTheEnd) {
  queue_.push_back(a_);
  queue_.push_back(b_);
  queue_.insert_after(b_, d_);
  queue_.insert_after(b_, c_);
  EXPECT_EQ(queue_.back(), d_);
  for (SendNode* const node : {a_, b_, c_, d_}) EXPECT_EQ(queue_.pop_front(), node);
  EXPECT_TRUE(queue_.is_empty());
}

TEST_F(SendQueueTest, WhatLeavesTheOrderIsForgotten) {
  for (SendNode* const node : {a_, b_, c_}) order_.push(node);
  order_.remove(b_);
  expect_in_time({a_, c_});
  order_.remove(b_);
  expect_in_time({a_, c_});
  order_.remove(c_);
  expect_in_time({a_});
  order_.remove(a_);
  expect_in_time({});
}

// A segment taken for lost that was not comes back to where its time puts it.
TEST_F(SendQueueTest, WhatComesBackStandsWhereItsTimePutsIt) {
  for (SendNode* const node : {a_, b_, c_, d_}) order_.push(node);
  for (SendNode* const node : {a_, b_, d_}) order_.remove(node);
  order_.put_back(b_, nullptr);
  expect_in_time({b_, c_});
  order_.put_back(d_, b_);
  expect_in_time({b_, c_, d_});
  order_.put_back(a_, nullptr);
  expect_in_time({a_, b_, c_, d_});
}

TEST_F(SendQueueTest, OfTwoSentAtOnceTheLowerNumberIsFirst) {
  c_->sent_us = b_->sent_us;
  order_.push(b_);
  order_.push(d_);
  order_.put_back(c_, nullptr);
  expect_in_time({b_, c_, d_});
}

}  // namespace
}  // namespace handfast::tcp
