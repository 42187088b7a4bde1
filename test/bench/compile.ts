import { execFileSync } from 'node:child_process'

/** The benchmark's programs in C, with their sources. */
const PROGRAMS = {
  runner: ['runner.c', 'batch.c', 'program.c', 'floor.c'],
  pingpong: ['pingpong.c'],
} as const

const OPTIONS = ['-std=c11', '-O2', '-pthread', '-Wall', '-Wextra', '-Wpedantic', '-Wconversion', '-Werror']

/** Compiles one into a folder; answers its path. Throws when there is no C compiler. */
export function compile(name: keyof typeof PROGRAMS, folder: string): string {
  const output = `${folder}/${name}`
  const sources = PROGRAMS[name].map(file => `${import.meta.dirname}/${file}`)
  execFileSync('cc', [...OPTIONS, '-o', output, ...sources], { stdio: 'inherit' })
  return output
}
