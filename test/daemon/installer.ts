/*
 * Installs again and again, from two folders in turn, until it is killed. Its arguments: the folders, and the folder of
 * plugins.
 */
import { installPlugin } from '../../daemon/install.ts'
import { fakeLog } from '../support/log.ts'

const [one = '', other = '', to = ''] = process.argv.slice(2)
for (;;) for (const from of [one, other]) await installPlugin({ from, to, log: fakeLog().log })
