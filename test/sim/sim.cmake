# SPDX-License-Identifier: GPL-2.0-or-later
# The engines against everything that goes wrong. A failing seed: test_sim --seed N --verbose
file(GLOB sim_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/sim/*.c)
if(HAMM_SANITIZE)
    add_executable(test_sim ${sim_sources})
    target_link_libraries(test_sim engine gtid base)
else()
    # the same engines with small tables: five times as fast
    set(sim_limits ${CMAKE_BINARY_DIR}/sim-limits)
    add_custom_command(
        OUTPUT ${sim_limits}/proto/msg.h ${sim_limits}/gtid/gtid.h
        COMMAND sh ${CMAKE_SOURCE_DIR}/test/sim/limits.sh ${CMAKE_SOURCE_DIR} ${sim_limits}
        COMMAND ${CMAKE_COMMAND} -E touch ${sim_limits}/proto/msg.h ${sim_limits}/gtid/gtid.h
        DEPENDS ${CMAKE_SOURCE_DIR}/src/proto/msg.h ${CMAKE_SOURCE_DIR}/src/gtid/gtid.h
                ${CMAKE_SOURCE_DIR}/test/sim/limits.sh)
    file(GLOB sim_engines CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engine/*.c
         ${CMAKE_SOURCE_DIR}/src/gtid/*.c ${CMAKE_SOURCE_DIR}/src/base/*.c)
    add_executable(test_sim ${sim_sources} ${sim_engines} ${sim_limits}/proto/msg.h
                   ${sim_limits}/gtid/gtid.h)
    target_include_directories(test_sim BEFORE PRIVATE ${sim_limits})
    target_compile_options(test_sim PRIVATE -O3 -march=native -fno-pie)
    target_link_options(test_sim PRIVATE -no-pie) # a tenth faster
    if(CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
        # for AMD gcc 12 clears and copies small structs by rep stos and rep movs: slow to begin
        target_compile_options(test_sim PRIVATE -mtune=skylake)
    endif()
    set_target_properties(test_sim PROPERTIES INTERPROCEDURAL_OPTIMIZATION ON)
    if(NOT HAMM_FUZZ)
        add_test(NAME sim/mutations
                 COMMAND python3 ${CMAKE_SOURCE_DIR}/test/sim/mutate.py)
    endif()
endif()
# kept seeds, then fresh ones for HAMM_SIM_SECONDS (20)
add_test(NAME sim/seeds
         COMMAND sh ${CMAKE_SOURCE_DIR}/test/sim/run.sh --binary $<TARGET_FILE:test_sim>)
add_test(NAME sim/scenario
         COMMAND sh ${CMAKE_SOURCE_DIR}/test/sim/round.sh $<TARGET_FILE:test_sim>)
