import { messageOf } from '../../cni/spec/error.ts'
import { chooseCluster } from './choose.ts'

/* Says in one line what the tests of this folder would run on, or why they cannot run here, and then fails. */
try {
  console.log(`Clusters are made with ${(await chooseCluster()).name}`)
} catch (error) {
  console.log(messageOf(error))
  process.exitCode = 1
}
