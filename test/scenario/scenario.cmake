# SPDX-License-Identifier: GPL-2.0-or-later
# Stories: text files with events and what must come of them. README.md has the format.
file(GLOB scenario_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/scenario/*.c)
file(GLOB scenario_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/scenario/*.scn)
add_executable(test_scenario ${scenario_sources})
target_link_libraries(test_scenario foresee)
foreach(file ${scenario_files})
    get_filename_component(name ${file} NAME_WE)
    add_test(NAME scenario/${name} COMMAND test_scenario ${file})
endforeach()
# What can only be where a promise is broken already: test_engine_rules.c and exhaustive/ have them.
add_test(NAME scenario/coverage COMMAND test_scenario --coverage --but two-holders --but
         two-holders-careful --but other-may-hold ${scenario_files})
