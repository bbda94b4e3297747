#include "apps/load/stage_table.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace handfast::load {
namespace {

Side measured() {
  Side side;
  side.counters.frames_received = 200;
  side.counters.frames_sent = 300;
  side.counters.established_active = 100;
  side.stages.is_measured = true;
  side.stages.reading_cycles = 38;
  for (std::size_t i = 0; i < kStageCount; ++i) side.stages.cycles[i] = 6000;
  return side;
}

TEST(StageTable, CyclesAreSharedAmongTheFramesThatPassTheStage) {
  const Side side = measured();
  EXPECT_EQ(cycles_per_frame(side, Stage::parse), 30);
  EXPECT_EQ(cycles_per_frame(side, Stage::transmit), 20);
  EXPECT_EQ(cycles_per_frame(side, Stage::protocol), 12);
  EXPECT_EQ(cycles_per_frame(Side{}, Stage::protocol), 0);
}

TEST(StageTable, SaysNothingWhenNothingWasMeasured) {
  EXPECT_EQ(stage_table({}), "");
  EXPECT_TRUE(stages_json({}).is_null());
}

TEST(StageTable, HasEveryStageOfBothEnds) {
  const Books books{measured(), measured()};
  const std::string text = stage_table(books);
  for (std::size_t i = 0; i < kStageCount; ++i) {
    EXPECT_NE(text.find(to_string(static_cast<Stage>(i))), std::string::npos) << text;
  }
  EXPECT_NE(text.find("of each reading 38 are taken off"), std::string::npos) << text;
  const auto json = stages_json(books);
  EXPECT_EQ(json["client"]["parse"]["cycles_per_frame"], 30.0);
  EXPECT_EQ(json["server"]["emit"]["cycles_per_connection"], 60.0);
  EXPECT_TRUE(stages_json({measured(), std::nullopt})["server"].is_null());
}

}  // namespace
}  // namespace handfast::load
