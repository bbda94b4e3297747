#include "tests/sim/transfer_options.hpp"

#include <fmt/format.h>

namespace handfast::sim {

void add_options(CLI::App& app, TransferConfig& config) {
  app.add_option("--seed", config.seed, "everything random derives from it");
  app.add_option("--connections", config.connections, "how many in all")
      ->check(CLI::Range(1U, 10'000'000U));
  app.add_option("--concurrency", config.concurrency, "how many are open at a time")
      ->check(CLI::Range(1U, 100'000U));
  app.add_option("--bytes", config.bytes, "each way on each connection")
      ->check(CLI::Range(1U, TransferConfig::kBytesMax));
  const auto probability = CLI::Range(0.0, 0.9);
  app.add_option("--loss", config.loss, "probability, of one frame")->check(probability);
  app.add_option("--reorder", config.reorder, "probability, of one frame")->check(probability);
  app.add_option("--duplicate", config.duplicate, "probability, of one frame")->check(probability);
  app.add_option("--corrupt", config.corrupt, "probability, of one frame")->check(probability);
  app.add_flag("!--steady", config.vary,
               "default buffers and prompt handlers, instead of what the seed draws");
}

std::expected<TransferConfig, std::string> parse_options(const std::string& line) {
  TransferConfig config;
  CLI::App app;
  add_options(app, config);
  try {
    app.parse(line, false);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(std::string{error.what()});
  }
  return config;
}

std::string command_of(const TransferConfig& config) {
  return fmt::format(
      "sim_transfer --seed {} --connections {} --concurrency {} --bytes {} --loss {} --reorder {} "
      "--duplicate {} --corrupt {}{}",
      config.seed, config.connections, config.concurrency, config.bytes, config.loss,
      config.reorder, config.duplicate, config.corrupt, config.vary ? "" : " --steady");
}

}  // namespace handfast::sim
