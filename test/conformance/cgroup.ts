import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { until } from './until.ts'

const ROOT = '/sys/fs/cgroup'

/** Removes a control group with all in it from every hierarchy (version 1 has several), once nothing runs there. */
export async function removeCgroup(name: string): Promise<void> {
  const hierarchies = existsSync(`${ROOT}/cgroup.controllers`)
    ? [ROOT]
    : readdirSync(ROOT).map(hierarchy => `${ROOT}/${hierarchy}`)
  const groups = hierarchies.map(hierarchy => hierarchy + name).filter(existsSync)
  for (const group of groups) {
    await until(`the end of the control group ${group}`, async () => {
      removeTree(group)
      return true
    })
  }
}

function removeTree(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(`${group}/${entry.name}`)
  }
  rmdirSync(group)
}
