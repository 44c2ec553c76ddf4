# SPDX-License-Identifier: GPL-2.0-or-later
# The architecture and the style as tests.
add_test(NAME deps COMMAND sh ${CMAKE_SOURCE_DIR}/test/deps.sh ${CMAKE_SOURCE_DIR})
add_test(NAME pure COMMAND sh ${CMAKE_SOURCE_DIR}/test/pure.sh $<TARGET_FILE:engine>)
add_test(NAME tidy COMMAND sh ${CMAKE_SOURCE_DIR}/test/tidy.sh ${CMAKE_SOURCE_DIR})
include(${CMAKE_SOURCE_DIR}/test/scenario/scenario.cmake)
add_test(NAME pure_foresee COMMAND sh ${CMAKE_SOURCE_DIR}/test/pure.sh $<TARGET_FILE:foresee>
    "err_set" "agent_[a-z_]+" "engine_[a-z_]+" "(check|host_state|mode)_names")
include(${CMAKE_SOURCE_DIR}/test/exhaustive/exhaustive.cmake)
# binary logs of real servers, which the fuzzer begins with too
foreach(test test_binlog_files test_agent_aside test_agent_serve test_agent_fetch)
    if(TARGET ${test})
        target_compile_definitions(${test} PRIVATE
            BINLOG_CORPUS="${CMAKE_SOURCE_DIR}/test/fuzz/corpus/binlog")
    endif()
endforeach()
# the messages that the fuzzer begins with
if(TARGET test_proto_codec)
    target_compile_definitions(test_proto_codec PRIVATE
        MSG_CORPUS="${CMAKE_SOURCE_DIR}/test/fuzz/corpus/msg")
endif()
# from one server's binary log into another
if(TARGET test_mysql_live_salvage)
    target_link_libraries(test_mysql_live_salvage binlog)
endif()
