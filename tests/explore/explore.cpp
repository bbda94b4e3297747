#include <cstdio>

#include "tests/explore/ladder.hpp"
#include "tests/explore/search.hpp"
using namespace handfast::explore;
int main(int argc, char** argv) {
  Setting s{
      .scenario = find_scenario(argv[1]),
      .budget = {static_cast<std::uint8_t>(atoi(argv[2])), static_cast<std::uint8_t>(atoi(argv[3])),
                 static_cast<std::uint8_t>(atoi(argv[4]))},
      .without = static_cast<Without>(atoi(argv[5]))};
  (void)argc;
  auto o = search(s, {.max_states = 50'000'000, .threads = 1}, {});
  if (!o) {
    puts(o.error().c_str());
    return 1;
  }
  printf("%s states %lu transitions %lu ends %lu depth %u complete %d peak %lu MB %.2f s\n",
         argv[1], o->states, o->transitions, o->ends, o->depth, o->is_complete, o->peak_bytes >> 20,
         o->seconds);
  for (auto& f : o->found) printf("%s\n", ladder(s, f.way).c_str());
}
