# SPDX-License-Identifier: GPL-2.0-or-later
# Every state of small clusters through the engines. A failing one says how to see it again.
file(GLOB exhaustive_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/exhaustive/*.c)
list(FILTER exhaustive_sources EXCLUDE REGEX "/table_")
file(GLOB exhaustive_tables CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/exhaustive/table_*.c)
if(HAMM_SANITIZE)
    add_executable(test_exhaustive ${exhaustive_sources})
    target_link_libraries(test_exhaustive engine gtid base)
    set(exhaustive_skip 40)
else()
    # small tables, as the simulator has them
    set(exhaustive_limits ${CMAKE_BINARY_DIR}/exhaustive-limits)
    add_custom_command(
        OUTPUT ${exhaustive_limits}/proto/msg.h ${exhaustive_limits}/gtid/gtid.h
        COMMAND sh ${CMAKE_SOURCE_DIR}/test/sim/limits.sh ${CMAKE_SOURCE_DIR} ${exhaustive_limits}
        COMMAND ${CMAKE_COMMAND} -E touch ${exhaustive_limits}/proto/msg.h
                ${exhaustive_limits}/gtid/gtid.h
        DEPENDS ${CMAKE_SOURCE_DIR}/src/proto/msg.h ${CMAKE_SOURCE_DIR}/src/gtid/gtid.h
                ${CMAKE_SOURCE_DIR}/test/sim/limits.sh)
    file(GLOB exhaustive_engines CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/engine/*.c
         ${CMAKE_SOURCE_DIR}/src/gtid/*.c ${CMAKE_SOURCE_DIR}/src/base/err.c)
    add_executable(test_exhaustive ${exhaustive_sources} ${exhaustive_engines}
                   ${exhaustive_limits}/proto/msg.h ${exhaustive_limits}/gtid/gtid.h)
    target_include_directories(test_exhaustive BEFORE PRIVATE ${exhaustive_limits})
    target_compile_options(test_exhaustive PRIVATE -O2)
    set(exhaustive_skip 1)
endif()
target_include_directories(test_exhaustive PRIVATE ${CMAKE_SOURCE_DIR}/test)
add_test(NAME exhaustive/engines COMMAND test_exhaustive)
set_tests_properties(exhaustive/engines PROPERTIES ENVIRONMENT
                     HAMM_EXHAUSTIVE_SKIP=${exhaustive_skip})
add_executable(test_exhaustive_tables ${exhaustive_tables})
target_link_libraries(test_exhaustive_tables monitor agent)
target_include_directories(test_exhaustive_tables PRIVATE ${CMAKE_SOURCE_DIR}/test)
add_test(NAME exhaustive/tables COMMAND test_exhaustive_tables)
