package org.fluvial.flink;

import pemja.core.PythonInterpreter;
import pemja.core.PythonInterpreterConfig;

/**
 * Starts the interpreter of this JVM's Python operators before there is a job, and has it import what they will ask for.
 *
 * <p>The first operator that opens starts it otherwise: it runs Python a few times to find its library, and imports PyFlink and
 * the operators' modules, while all others wait. Their interpreters are states of the same one, so what is imported here is
 * there for them.
 */
public final class EarlyPython {
    private EarlyPython() {}

    /**
     * Begins, and returns.
     *
     * @param executable of Python
     * @param paths that operators will be given, in their order
     * @param statements to run: imports, a line each
     */
    public static void begin(String executable, String paths, String statements) {
        Thread thread = new Thread(() -> run(executable, paths, statements), "early-python");
        thread.setDaemon(true);
        thread.start();
    }

    /** All by one thread, to which Python binds the state that it runs in; that stays open, as those of operators do. */
    private static void run(String executable, String paths, String statements) {
        long began = System.nanoTime();
        try {
            PythonInterpreterConfig config = PythonInterpreterConfig.newBuilder()
                    .setPythonExec(executable)
                    .addPythonPaths(paths)
                    .setExcType(PythonInterpreterConfig.ExecType.MULTI_THREAD)
                    .build();
            new PythonInterpreter(config).exec(statements);
            System.err.printf("Python is ready for operators after %d ms%n", (System.nanoTime() - began) / 1_000_000);
        } catch (Throwable error) { // operators meet the same, and say it in the job's words
            System.err.println("Python is not ready for operators: " + error);
        }
    }
}
