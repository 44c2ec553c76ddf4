# SPDX-License-Identifier: GPL-2.0-or-later
# The engines against everything that goes wrong. A failing seed: test_sim --seed N --verbose
file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/sim/*.c)
add_executable(test_sim ${sim_sources})
target_link_libraries(test_sim engine gtid base)
add_test(NAME sim/seeds COMMAND test_sim --from 1 --runs 2000 --seconds 60)
