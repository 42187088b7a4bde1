/**
 * What tap measures: the pure code, of which the unit tests must reach every line and branch. The edges are covered
 * by the tests under test/, which run them against a real kernel.
 */
export default (): string[] => ['{cni,ipam,daemon,deploy}/core/**/!(*.test).ts']
